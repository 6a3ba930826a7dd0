package batch

import "slices"

// badness has exit codes from the best to the worst: numbers that are wrong are worse
// than none.
var badness = []int{0, 6, 5, 7, 4, 2, 1, 3, interruptedCode}

// Worst is the worst exit code of the jobs. A job that did not start is an interrupted
// one; one that was skipped adds nothing to what it waited for.
func Worst(records []*Record) int {
	worst := 0
	for _, r := range records {
		code := r.ExitCode
		switch r.Status {
		case Done, Kept, Skipped:
			code = 0
		case Interrupted, NotStarted:
			code = interruptedCode
		}
		at := slices.Index(badness, code)
		if at < 0 { // a code that this list does not have is an error
			at = slices.Index(badness, 1)
		}
		worst = max(worst, at)
	}
	return badness[worst]
}
