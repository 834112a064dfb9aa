// Package loop is where everything happens: event loops that own sockets,
// timers and mail, so that what lives on one loop needs no lock. It is the only
// package that knows gnet, and knows nothing of XMPP.
//
// # Turns
//
// A loop works in turns. A turn reads what the kernel has, calls the handlers,
// runs the mail from other loops and the timers that are due, and at its end
// calls Flush once for each connection that asked for it, so that a connection
// is written once a turn however much happened to it. Then the turn's packets
// go to the other loops, one lock and at most one wake for each.
//
// The order within a turn: sockets, mail, timers, Again, Closed, Flush, Move,
// packets out. What a later step asks of an earlier one comes in the next turn,
// which follows at once.
//
// # Two drivers
//
// New makes loops over gnet. NewManual makes loops in memory, turned by hand,
// with a clock that moves only when told: everything above this package is
// tested on those, and cannot tell the difference.
package loop
