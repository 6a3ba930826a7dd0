package family

// The names of states.
const (
	// WindowState is what a convolution saw of the last tokens, (taps − 1, channels).
	WindowState = "window"
	// RecurrentState is what a mixer sums over all tokens before, per head.
	RecurrentState = "recurrent"
)

// State is what a layer carries from token to token that does not grow with them: of
// shape (batch, Dims...), zeros before the first token. Padding leaves it as it is.
type State struct {
	Name string
	Dims []int
}

// Stateful is a branch that carries states.
type Stateful interface {
	Branch
	States() []State
}

// States lists what the layer carries beside keys and values; what an attention's
// encoding carries is not among it.
func (b *Block) States() []State {
	var list []State
	for _, mixer := range []Branch{b.Mixer, b.Second} {
		if s, ok := mixer.(Stateful); ok {
			list = append(list, s.States()...)
		}
	}
	return list
}

// States implements Stateful.
func (c *ShortConv) States() []State { return c.Conv.states() }

func (c *Conv) states() []State {
	if c.Taps < 2 {
		return nil
	}
	return []State{{WindowState, []int{c.Taps - 1, int(c.Weight.Shape[0])}}}
}
