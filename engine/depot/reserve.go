package depot

import (
	"fmt"
	"time"

	"meerkat/engine/config"
	"meerkat/store"
	"meerkat/tune"
)

// Request is a wish for a place.
type Request struct {
	Owner string    // bare JID
	Name  string    // see SafeName
	Type  string    // see SafeType; "" if the client has not said
	Size  int64     // bytes, more than 0
	Until time.Time // when the file has to go at the latest; zero: when it is too old
}

// Quota is the error of who has used up what he may.
type Quota struct {
	Text  string
	Retry time.Time // when it is worth another try; zero: not known
}

func (q *Quota) Error() string { return q.Text }

// Reserve promises a place, as part of an update. The error is ErrTooLarge,
// ErrFull, or a *Quota.
func (d *Depot) Reserve(tx *store.Tx, id ID, q Request, now time.Time) error {
	lim := d.limits.Load()
	if q.Size > int64(lim.MaxSize) {
		refused.Add(offLoop, byTooLarge, 1)
		return ErrTooLarge
	}
	u, err := readUsage(tx, q.Owner)
	if err != nil {
		return err
	}
	u.turn(dayOf(now.Unix()))
	if quota := d.exceeds(tx, &u, &q, now); quota != nil {
		refused.Add(offLoop, byQuota, 1)
		return quota
	}
	if !d.hasRoom(q.Size) {
		refused.Add(offLoop, byDisk, 1)
		return ErrFull
	}
	r := row{size: q.Size, created: now.Unix(), begin: now.Add(time.Duration(lim.SlotTime)).Unix() + 1, kind: q.Type, name: q.Name}
	if !q.Until.IsZero() {
		r.until = q.Until.Unix()
	}
	u.take(&r)
	if err := putUsage(tx, q.Owner, &u); err != nil {
		return err
	}
	if err := owners.Put(tx, id.String(), []byte(q.Owner)); err != nil {
		return err
	}
	return putRow(tx, q.Owner, id, &r)
}

// exceeds tells what of the owner's share a file would exceed.
func (d *Depot) exceeds(tx *store.Tx, u *usage, q *Request, now time.Time) *Quota {
	lim := d.limits.Load()
	tomorrow := time.Unix((dayOf(now.Unix())+1)*86400, 0).UTC()
	switch {
	case lim.FilesPerDay > 0 && u.dayFiles >= int64(lim.FilesPerDay):
		return &Quota{fmt.Sprintf("at most %d files a day", lim.FilesPerDay), tomorrow}
	case beyond(lim.PerDay, u.dayBytes, q.Size):
		return &Quota{fmt.Sprintf("at most %v a day", lim.PerDay), tomorrow}
	case beyond(lim.PerUser, u.bytes, q.Size):
		return &Quota{fmt.Sprintf("at most %v in all", lim.PerUser), oldest(tx, q.Owner, time.Duration(lim.Retention))}
	}
	return nil
}

func beyond(limit config.Size, have, more int64) bool {
	return limit > 0 && have+more > int64(limit)
}

// oldest returns when the first of the owner's files goes, zero if it stays.
func oldest(tx *store.Tx, owner string, keep time.Duration) (end time.Time) {
	_ = rows.Each(tx, owner, func(_ string, b []byte) error {
		if r, err := readRow(b); err == nil {
			end = r.ends(keep)
		}
		return store.ErrStop
	})
	return end
}

// hasRoom keeps the disk from filling up to where the store cannot write.
func (d *Depot) hasRoom(size int64) bool {
	free, err := tune.Free(d.dir)
	return err == nil && free >= uint64(size)+uint64(d.limits.Load().DiskFree)
}
