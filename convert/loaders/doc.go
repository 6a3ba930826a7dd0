// Package loaders is the table of what other programs compute from what pecvt
// writes: loader × form × version, right, wrong in silence or refused, and whether
// that was run or read in the loader's source.
//
// A form of a checkpoint is how its encoding is said (a rope type, the partial
// layout, pecvt's own block); a form of a graph is how its operators are written.
// Nothing is concluded from one form or family for another: what no row covers is
// Unknown.
//
// The package knows no model and decides no rewrite; convert asks it for what
// becomes of a result (Judge), and for a form that several loaders compute.
package loaders
