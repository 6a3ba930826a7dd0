package posenctest

import "github.com/pecvt/pecvt/posenc"

// Way is one way to an encoding, in the words of the command line.
type Way struct {
	To, Scale, Cut string
	// Layout is "partial" for a way that moves rows, "" else.
	Layout string
}

// String spells it as tests name their cases.
func (w Way) String() string {
	text := w.To
	for _, s := range [][2]string{{" scale=", w.Scale}, {" cut=", w.Cut}, {" layout=", w.Layout}} {
		if s[1] != "" {
			text += s[0] + s[1]
		}
	}
	return text
}

// Spectral are the ways to every encoding of the table that one spectrum for all
// heads says: plain, with each scaling that it takes or needs, and with a cut.
func Spectral() (list []Way) {
	for _, e := range posenc.Encodings() {
		if e.Target == nil {
			continue
		}
		if e.Scale == "must" { // named after its scaling
			list = append(list, Way{To: e.Name, Scale: e.Name + ":4"})
			continue
		}
		list = append(list, Way{To: e.Name})
		if e.Scale == "may" {
			list = append(list, Way{To: e.Name, Scale: "pi:4"}, Way{To: e.Name, Scale: "yarn:4"})
		}
		if e.Cut {
			list = append(list, Way{To: e.Name, Cut: "k=3"}, Way{To: e.Name, Cut: "k=2", Scale: "pi:4"})
		}
	}
	return list
}
