package fsio

import "errors"

// errLocked says that another has the lock.
var errLocked = errors.New("locked by another process")

// errNoLocks says that there are no locks on files of this system, or file system.
var errNoLocks = errors.New("no locks on files")
