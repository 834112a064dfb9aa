// Package wire turns a socket's bytes into XML bytes and back: TCP, with TLS
// from the first byte, from STARTTLS on, or not at all. It bounds what a slow
// or greedy client can cost, and knows nothing of stanzas.
//
// Output collects during a turn in a buffer of the pool, and leaves at the
// turn's end sealed in one run of records and with one system call. Input goes
// to the Upper from the loop's own buffers; only what the Upper does not take
// at once is copied. An idle connection owns no buffer at all.
package wire
