// Package load is a crowd of XMPP clients on raw epoll: few threads, one small
// struct a client, no goroutine, timer or buffer for one that is idle. It
// knows nothing of servers, scenarios and reports.
//
// A Crowd is told by a Job what to be doing from now on, and asked for Stats
// while it does it. Every message and presence that it sends carries a number,
// so that what is lost, doubled, reordered or damaged is counted and not
// guessed.
package load
