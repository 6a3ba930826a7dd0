package ref

import (
	"context"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// embedByLayer makes every token's embeddings by layer, (tokens, layers·size).
func (p *pass[T]) embedByLayer(ctx context.Context) error {
	b := p.model.ByLayer
	if b == nil {
		return nil
	}
	table, err := p.open(b.Embed)
	if err != nil {
		return err
	}
	p.byLayerOnce.Do(func() { p.byLayerErr = table.finite(table.raw, table.dtype, 0) })
	if p.byLayerErr != nil {
		return p.byLayerErr
	}
	tokens, width := p.in.tokens(), len(p.model.Blocks)*b.Size
	rows := make([]T, tokens*width)
	for i, id := range p.in.ids {
		if err := decode(&table, rows[i*width:(i+1)*width], int(id), int(id)+1); err != nil {
			return err
		}
	}
	p.release(b.Embed)
	tap := func(place string, values []T) { p.tap(names.Outside(place), values, len(p.model.Blocks), b.Size) }
	tap(family.AtByLayer, rows)
	p.byLayer = make([]T, tokens*width)
	if err := p.linear(ctx, &b.Project, p.x, tokens, p.byLayer, p.work); err != nil {
		return err
	}
	tap(family.AtByLayerProj, p.byLayer)
	scale(p.byLayer, b.ProjectScale)
	if err := p.norm(&b.Norm, p.byLayer, p.byLayer); err != nil {
		return err
	}
	tap(family.AtByLayerNorm, p.byLayer)
	scale(rows, b.EmbedScale)
	add(p.byLayer, rows)
	scale(p.byLayer, b.Scale)
	return nil
}

// layerEnd adds to the stream what the layer makes of its own embedding, and multiplies
// it by the layer's own number.
func (p *pass[T]) layerEnd(ctx context.Context, b *family.Block, at func(place string) string, layer int) error {
	if b.PerLayer != nil {
		p.tap(at(names.MLPResidual), p.x, p.model.Hidden)
		if err := p.perLayer(ctx, b.PerLayer, at, layer); err != nil {
			return err
		}
	}
	if b.Scalar == nil {
		return nil
	}
	s, err := p.vector(b.Scalar)
	if err != nil {
		return err
	}
	p.tap(at(names.Unscaled), p.x, p.model.Hidden)
	for i := range p.x {
		p.x[i] *= s[0]
	}
	return nil
}

func (p *pass[T]) perLayer(ctx context.Context, m *family.PerLayer, at func(place string) string, layer int) error {
	tokens, d, all := p.in.tokens(), p.model.ByLayer.Size, len(p.model.Blocks)*p.model.ByLayer.Size
	act, err := p.activation(&family.MLP{Act: m.Act})
	if err != nil {
		return err
	}
	gate := room(&p.work.gate, tokens*d)
	if err := p.linear(ctx, &m.Gate, p.x, tokens, gate, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtPerLayerGate), gate, d)
	for i := range gate {
		gate[i] = act(gate[i]) * p.byLayer[i/d*all+layer*d+i%d]
	}
	p.tap(at(names.PerLayer), gate, d)
	y := room(&p.work.attn, len(p.x))
	if err := p.linear(ctx, &m.Out, gate, tokens, y, p.work); err != nil {
		return err
	}
	p.tap(at(family.AtPerLayerOut), y, p.model.Hidden)
	if err := p.norm(&m.Norm, y, y); err != nil {
		return err
	}
	p.tap(at(family.AtPerLayerNorm), y, p.model.Hidden)
	add(p.x, y)
	return nil
}
