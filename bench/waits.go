package bench

// waits has noted at its end how long a Meerkat kept its users waiting since:
// pauses of the garbage collector, and turns of its loops.
func (r *run) waits(c *contender) (end func() error, err error) {
	if c.metrics == "" {
		return func() error { return nil }, nil
	}
	before, err := scrape(c.metrics)
	if err != nil {
		return nil, err
	}
	return func() error {
		after, err := scrape(c.metrics)
		if err != nil {
			return err
		}
		since := func(name string) float64 { return after[name] - before[name] }
		const pause = "go_gc_duration_seconds"
		collections := since(pause + "_count")
		r.figure("garbage collections while all are online", collections, "")
		if collections > 0 {
			r.figure("their pause, mean", since(pause+"_sum")/collections*1e3, "ms")
		}
		r.figure("pause of the last 256, longest", after[pause+`{quantile="1"}`]*1e3, "ms")
		const turn = "meerkat_loop_turn_seconds"
		if turns := since(turn + "_count"); turns > 0 {
			r.figure("turns of the loops", turns, "")
			r.figure("of them over 10 ms", turns-since(turn+`_bucket{le="0.01"}`), "")
			r.figure("of them over 100 ms", turns-since(turn+`_bucket{le="0.1"}`), "")
		}
		return nil
	}, nil
}
