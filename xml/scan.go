package xml

type masks struct{}

// parse reads one element from the start of in.
func (t *tree) parse(in []byte, lim *Limits, ctx *context) (end int, err Error) {
	t.reset(in, ctx)
	return t.plainElement(lim)
}
