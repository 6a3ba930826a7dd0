package convert

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc/hint"
)

// planConfig adds config.json: the source's bytes where nothing changes. Keys that
// would have loaders compute something else than the result is are left out, each
// with a note.
func (p *Plan) planConfig(m *family.Model) error {
	c := p.rewrite.Config
	drop, web := p.leftOut(m), p.webValue()
	if !p.rewrite.ConfigChanged && drop == nil && web == nil && p.beside != nil {
		p.config = p.beside["config.json"]
		p.Files = append(p.Files, FilePlan{Name: "config.json", Action: Write, Bytes: int64(len(p.config))})
		return nil
	}
	if !p.rewrite.ConfigChanged && drop == nil && web == nil {
		var err error
		if p.config, err = p.folder.ReadFile("config.json"); err != nil {
			return fmt.Errorf("config: %w", err)
		}
		return p.addCopy("config.json", "config.json")
	}
	if !p.rewrite.ConfigChanged {
		c = m.Whole(m.Config.Object)
	}
	c = c.Clone()
	for _, key := range drop {
		c.Delete(key)
	}
	if web != nil {
		c.Set(webKey, web)
	}
	text, err := c.Indented()
	if err != nil {
		return fmt.Errorf("%s: %w", m.Config.Path, err)
	}
	p.config = text
	p.Files = append(p.Files, FilePlan{Name: "config.json", Action: Write, Bytes: int64(len(text))})
	return nil
}

// leftOut lists the keys of the source's config.json that the result's has not,
// and says so.
func (p *Plan) leftOut(m *family.Model) []string {
	if m.Extension != nil { // its own keys, and the source's configuration as it is
		return nil
	}
	var drop []string
	if m.File().Has(webKey) && p.options.WebWeights == "" {
		drop = append(drop, webKey)
		p.Notes = append(p.Notes, fmt.Sprintf("config.json is written without %s: it tells of graphs in the source's folder onnx, which stay behind", webKey))
	}
	if m.Leftover != nil {
		drop = append(drop, m.Leftover...)
		p.Notes = append(p.Notes, fmt.Sprintf("config.json is written without %s: the weights are not quantised", strings.Join(m.Leftover, ", ")))
	}
	if keys := m.Config.Ignore; keys != nil {
		drop = append(drop, keys...)
		p.Notes = append(p.Notes, fmt.Sprintf("config.json is written without %s, as "+hint.IgnoreKeys+" says", strings.Join(keys, ", ")))
	}
	if p.rewrite.ConfigChanged && m.File().Has("auto_map") {
		drop = append(drop, "auto_map")
		p.Notes = append(p.Notes, "config.json is written without auto_map: the code that it names computes the source's encoding; stock classes compute the result")
	}
	return drop
}
