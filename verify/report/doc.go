// Package report is what a verification says: checks and their verdicts, the
// limits that they are judged by, the figures, and the forms in which all of it
// is written: text, JUnit's XML and (by its types) JSON.
//
// It computes distances of answers ([Compare]) and the one table of limits
// ([Tolerances]), and runs nothing.
package report
