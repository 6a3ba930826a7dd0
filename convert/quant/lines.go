package quant

// Blocks is how many blocks a row has.
func (g *Grid) Blocks() int64 { return g.across() }

// BlockOf gives the block of each column, nil where blocks follow each other.
func (g *Grid) BlockOf(src Source) ([]int, error) { return g.blocks(src) }

// HasZeros tells whether codes other than 0 stand for 0.
func (g *Grid) HasZeros() bool { return g.Zeros != "" || g.ReadZeros != nil }
