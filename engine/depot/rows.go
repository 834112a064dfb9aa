package depot

import (
	"encoding/binary"
	"errors"
	"time"

	"meerkat/store"
)

var (
	rows   = store.NewMap("upload")       // of the owner, by ID: row
	owners = store.NewDoc("upload-owner") // by the ID's text: the owner
	usages = store.NewDoc("upload-usage") // of the owner: usage
)

// row is what is known of a file, or of a place that waits for one.
type row struct {
	filled  bool
	size    int64
	created int64 // seconds since 1970, like all times here
	begin   int64 // the upload has to begin before
	until   int64 // the owner wants it to go then; 0: when it is too old
	kind    string
	name    string
}

const rowVersion = 1

var errRow = errors.New("depot: a row that cannot be read")

func (r *row) append(b []byte) []byte {
	b = append(b, rowVersion, 0)
	if r.filled {
		b[len(b)-1] = 1
	}
	for _, n := range []int64{r.size, r.created, r.begin, r.until} {
		b = binary.AppendVarint(b, n)
	}
	return append(store.AppendField(b, r.kind), r.name...)
}

func readRow(b []byte) (r row, err error) {
	if len(b) < 2 || b[0] != rowVersion {
		return r, errRow
	}
	r.filled = b[1] == 1
	f := store.Fields{Rest: b[2:]}
	r.size, r.created, r.begin, r.until = f.Int(), f.Int(), f.Int(), f.Int()
	r.kind = f.Text()
	r.name = string(f.Rest)
	if f.Bad {
		return row{}, errRow
	}
	return r, nil
}

// ends returns when the file has to go; the zero time is never.
func (r *row) ends(keep time.Duration) time.Time {
	var end time.Time
	if keep > 0 {
		end = time.Unix(r.created, 0).Add(keep)
	}
	if until := time.Unix(r.until, 0); r.until != 0 && (end.IsZero() || until.Before(end)) {
		end = until
	}
	return end
}

// over reports whether the file is not to be had any more, or the place.
func (r *row) over(keep time.Duration, now time.Time) bool {
	if !r.filled {
		return now.Unix() >= r.begin
	}
	end := r.ends(keep)
	return !end.IsZero() && !now.Before(end)
}

// find returns the row of an ID, and whose it is: nobody's if there is none.
func find(tx *store.Tx, id ID) (owner string, r row, err error) {
	owner = string(owners.Get(tx, id.String()))
	if owner == "" {
		return "", r, nil
	}
	b := rows.Get(tx, owner, string(id[:]))
	if b == nil { // removed with its owner
		return "", r, nil
	}
	r, err = readRow(b)
	return owner, r, err
}

func putRow(tx *store.Tx, owner string, id ID, r *row) error {
	return rows.Put(tx, owner, string(id[:]), r.append(nil))
}

// remove takes a row away, if it is there, and what it counts for.
func remove(tx *store.Tx, owner string, id ID) error {
	b := rows.Get(tx, owner, string(id[:]))
	if b == nil {
		return owners.Delete(tx, id.String())
	}
	r, err := readRow(b)
	if err != nil {
		return err
	}
	u, err := readUsage(tx, owner)
	if err != nil {
		return err
	}
	u.give(&r)
	return errors.Join(putUsage(tx, owner, &u), rows.Delete(tx, owner, string(id[:])), owners.Delete(tx, id.String()))
}

// usage is what an owner has here, places that wait for a file included.
type usage struct {
	files, bytes int64
	day          int64 // of UTC, since 1970
	dayFiles     int64 // begun on that day
	dayBytes     int64
}

func dayOf(seconds int64) int64 { return seconds / 86400 }

// take counts a new place.
func (u *usage) take(r *row) {
	u.turn(dayOf(r.created))
	u.files++
	u.bytes += r.size
	u.dayFiles++
	u.dayBytes += r.size
}

// give counts a row off. What was uploaded counts for the day all the same.
func (u *usage) give(r *row) {
	u.files = max(0, u.files-1)
	u.bytes = max(0, u.bytes-r.size)
	if !r.filled && dayOf(r.created) == u.day {
		u.dayFiles = max(0, u.dayFiles-1)
		u.dayBytes = max(0, u.dayBytes-r.size)
	}
}

// turn begins a new day.
func (u *usage) turn(day int64) {
	if day > u.day {
		u.day, u.dayFiles, u.dayBytes = day, 0, 0
	}
}

func (u *usage) fields() []*int64 {
	return []*int64{&u.files, &u.bytes, &u.day, &u.dayFiles, &u.dayBytes}
}

func decodeUsage(b []byte) (u usage, err error) {
	for _, to := range u.fields() {
		n, used := binary.Varint(b)
		if used <= 0 {
			return u, errRow
		}
		*to, b = n, b[used:]
	}
	return u, nil
}

func readUsage(tx *store.Tx, owner string) (u usage, err error) {
	if b := usages.Get(tx, owner); b != nil {
		return decodeUsage(b)
	}
	return u, nil
}

func putUsage(tx *store.Tx, owner string, u *usage) error {
	var b []byte
	for _, n := range u.fields() {
		b = binary.AppendVarint(b, *n)
	}
	return usages.Put(tx, owner, b)
}
