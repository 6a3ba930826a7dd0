// Package batch runs many command lines of pecvt as a pipeline of Apache Beam.
//
// [Read] turns a file of jobs into [Job]s, [Levels] puts those that wait for others
// behind them, and [Run] makes a pipeline of it: one step per level, whose elements are
// jobs, spread by a Reshuffle so that workers share them. It runs on Prism inside this
// process, or on a portable job server elsewhere. A job is one command line, run by the
// same code as the command's ([Worker.Run]); what becomes of it is written as a record
// into a folder, from which the report is made and the next run knows what it can keep.
package batch
