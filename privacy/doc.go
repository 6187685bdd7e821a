// Package privacy hands out all that is kept on a person, and erases it when nothing
// requires it any more (docs/adr/0027).
//
// It knows neither tables nor files: the store lists rows and checks, in one
// transaction, that nothing hangs on the person; the folder of files reads what was
// attached.
package privacy
