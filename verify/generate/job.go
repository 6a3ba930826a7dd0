package generate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/chat"
	"github.com/pecvt/pecvt/verify/eval/tokens"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/run"
	"github.com/pecvt/pecvt/verify/special"
)

// Job is one text of one model.
type Job struct {
	// Dir is a folder that pecvt wrote, with its graph.
	Dir string
	// Prompt is the text that goes on, or with Chat what the user says, System what
	// stands before it. IDs are the tokens of a prompt, in place of all of them.
	Prompt, System string
	Chat           bool
	IDs            []int64
	// Tokenizer is a tokenizer.json or a folder with one; "" is the model's own.
	Tokenizer string
	// ORTLibrary is ONNX Runtime's library, "" the one that is found; ORT its session.
	ORTLibrary string
	ORT        ort.Options
	Options
	// Show takes the text piece by piece, each whole characters; without a tokenizer the
	// ids.
	Show func(piece string) error
}

// Report is what a job made.
type Report struct {
	Schema  int    `json:"schema"`
	Model   string `json:"model"`
	Runtime string `json:"runtime"`
	// Provider is where it ran.
	Provider  string  `json:"provider"`
	PromptIDs []int64 `json:"prompt_ids"`
	IDs       []int64 `json:"ids"`
	// Text is of IDs without special tokens, nil without a tokenizer. It is what follows
	// the prompt, a space at its beginning included.
	Text *string `json:"text"`
	// Stopped is "end", "length" or "interrupted".
	Stopped string `json:"stopped"`
	// Times are in seconds: opening the graph, the prompt, and the tokens after the
	// first; rates are tokens per second.
	LoadSeconds    float64  `json:"load_seconds"`
	PrefillSeconds float64  `json:"prefill_seconds"`
	PrefillRate    float64  `json:"prefill_tokens_per_second"`
	DecodeSeconds  float64  `json:"decode_seconds"`
	DecodeRate     *float64 `json:"decode_tokens_per_second"` // nil of one token
	// Notes say what could be meant otherwise.
	Notes []string `json:"notes,omitempty"`
}

// Schema is the version of a report.
const Schema = 1

// Run does a job. Errors: no graph in the folder, with what makes one; ONNX Runtime
// that cannot be loaded (matches [ort.ErrUnavailable]); a tokenizer or a template that
// is not there or not known; those of [Graph.Generate]. That of a context which is
// cancelled comes with the report of what was made until then, once a graph is open.
func Run(ctx context.Context, j Job) (*Report, error) {
	if err := hasGraph(j.Dir); err != nil {
		return nil, err
	}
	r := &Report{Schema: Schema, Model: j.Dir}
	tk, prompt, err := j.prompt(r)
	if err != nil {
		return nil, err
	}
	lib, err := ort.Load(j.ORTLibrary)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	g, err := Open(j.Dir, j.ORT)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	r.LoadSeconds = time.Since(begin).Seconds()
	r.Runtime, r.Provider = lib.Version, g.session.Options().Provider
	for i, id := range prompt {
		if id < 0 || id >= int64(g.vocab) {
			return nil, fmt.Errorf("%s: token %d of the prompt is %d: expected one of the vocabulary of %d", j.Dir, i, id, g.vocab)
		}
	}
	files, err := special.Of(j.Dir, g.vocab)
	if err == nil {
		j.Ends, err = files.IDs("eos")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", j.Dir, err)
	}
	out, err := newWriter(tk, prompt, j.Show)
	if err != nil {
		return nil, err
	}
	made, cut := g.Generate(ctx, prompt, j.Options, out.add)
	if made == nil {
		return nil, fmt.Errorf("%s: %w", j.Dir, cut)
	}
	if r.Text, err = out.end(); err != nil {
		return nil, err
	}
	r.PromptIDs, r.IDs, r.Stopped = prompt, made.IDs, made.Stopped
	r.PrefillSeconds, r.DecodeSeconds = made.Prefill.Seconds(), made.Decode.Seconds()
	if len(made.IDs) > 0 { // the whole prompt went through
		r.PrefillRate = float64(len(prompt)) / r.PrefillSeconds
	}
	if made.Steps > 0 {
		rate := float64(made.Steps) / r.DecodeSeconds
		r.DecodeRate = &rate
	}
	if cut != nil {
		return r, fmt.Errorf("%s: %w", j.Dir, cut)
	}
	return r, nil
}

// hasGraph says what makes a graph where a path is none of a folder with one.
func hasGraph(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w: expected a folder that pecvt wrote; check the path", err)
	}
	if st.IsDir() {
		_, err := run.FindGraph(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else if filepath.Base(path) == run.GraphFile {
		return fmt.Errorf("%s: it is a graph: give the folder that it lies in, %s", path, filepath.Dir(path))
	}
	return fmt.Errorf("%s: no folder with a graph (%s): make a folder with one, pecvt export %s -o DIR, and give that", path, run.GraphFile, path)
}

// prompt is the prompt's tokens, and the tokenizer that turns what follows into text,
// nil where there is none.
func (j *Job) prompt(r *Report) (*tokens.Tokenizer, []int64, error) {
	from := j.Tokenizer
	if from == "" {
		from = j.Dir
	}
	tk, err := tokens.Load(from)
	if len(j.IDs) > 0 {
		if err != nil && j.Tokenizer == "" {
			r.Notes = append(r.Notes, "the tokens stay ids: "+err.Error())
			return nil, j.IDs, nil
		}
		return tk, j.IDs, err
	}
	if errors.Is(err, tokens.ErrNone) {
		err = hint.Errorf("%w; name one with "+hint.Tokenizer+", or give the prompt's ids with "+hint.Scored, err)
	}
	if err != nil {
		return nil, nil, err
	}
	if !j.Chat {
		if _, err := chat.Load(j.Dir); err == nil {
			r.Notes = append(r.Notes, hint.Chat+" would put the prompt into the model's chat template; here the text goes on as it stands")
		}
		ids, err := tk.EncodeWhole(j.Prompt)
		return tk, ids, err
	}
	template, err := chat.Load(j.Dir)
	if err != nil {
		return nil, nil, err
	}
	messages := []chat.Message{{Role: "user", Content: j.Prompt}}
	if j.System != "" {
		messages = append([]chat.Message{{Role: "system", Content: j.System}}, messages...)
	}
	text, err := template.Render(messages)
	if err != nil {
		return nil, nil, err
	}
	ids, err := tk.Encode(text) // a template writes the special tokens itself
	return tk, ids, err
}

// writer shows tokens as text, or as ids.
type writer struct {
	show    func(string) error
	decoder *tokens.Decoder
	text    strings.Builder
	count   int
}

// newWriter begins behind a prompt: what comes is what the text of both has more.
func newWriter(tk *tokens.Tokenizer, prompt []int64, show func(string) error) (*writer, error) {
	w := &writer{show: show}
	if show == nil {
		w.show = func(string) error { return nil }
	}
	if tk == nil {
		return w, nil
	}
	var err error
	if w.decoder, err = tk.Decoder(); err != nil {
		return nil, err
	}
	for _, id := range prompt {
		if _, err := w.decoder.Next(id); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *writer) add(id int64) error {
	piece := ""
	switch {
	case w.decoder != nil:
		var err error
		if piece, err = w.decoder.Next(id); err != nil {
			return err
		}
	case w.count > 0:
		piece = fmt.Sprintf(" %d", id)
	default:
		piece = fmt.Sprint(id)
	}
	w.count++
	w.text.WriteString(piece)
	if piece == "" {
		return nil
	}
	return w.show(piece)
}

// end shows what was held back, and returns the text, nil of ids.
func (w *writer) end() (*string, error) {
	if w.decoder == nil {
		return nil, nil
	}
	if piece := w.decoder.End(); piece != "" {
		w.text.WriteString(piece)
		if err := w.show(piece); err != nil {
			return nil, err
		}
	}
	s := w.text.String()
	return &s, nil
}
