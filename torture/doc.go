// Package torture holds a deployment to its promises under fire.
//
// Run starts real servers of this program, drives them over HTTP as terminals,
// phones and staff do, keeps a journal of everything that was acknowledged, and
// strikes: processes are killed, paused and woken, clocks moved, databases
// stopped, slowed and cut off, disks filled. After each strike it compares what
// the service says with the journal. What is drawn by chance comes from a seed.
//
// It is run by `mianmi torture` and by tests; it judges, and repairs nothing.
// The tests of this package hold the services alone to the same promises:
// random requests on every engine, and the check of histories that can fail.
package torture
