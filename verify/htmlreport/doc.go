// Package htmlreport writes a verification's report as one page of HTML that
// stands alone: style and figures are inside of it, nothing is loaded from
// anywhere, and no script runs.
//
// Figures are drawn by gonum/plot as SVG. Their colours are not those of the
// drawing but roles (text, grid, first series, …) that the page's style sheet
// fills in, so that one drawing serves light and dark.
//
// # Stability
//
// Write is meant to stay. What the page looks like is not for programs to read.
package htmlreport
