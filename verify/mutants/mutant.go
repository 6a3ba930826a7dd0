package mutants

import (
	"errors"
	"fmt"
	"slices"
)

// Where tells what a mutant takes for faulty.
type Where string

const (
	Rewriter Where = "rewriter"
	Emitter  Where = "emitter"
	Files    Where = "files"
)

// Mutant is one planted fault.
type Mutant struct {
	// Name is unique; Base is the conversion it is planted into.
	Name, Base string
	Where      Where
	// Change says in a few words what is wrong.
	Change string
	// Still says, for a mutant that moves no logit of the folder's own model, why
	// it is a fault all the same; empty where it moves one.
	Still string

	apply func(*Folder)
}

// Mutants lists every mutant, by name.
func Mutants() []Mutant {
	var list []Mutant
	for _, part := range [][]Mutant{rotaryMutants(), generatorMutants(), attentionMutants(), layerMutants(), familyMutants(), expertMutants(), mambaMutants(), deltaMutants(), latentMutants(), writtenMutants(), weightMutants(), quantisedMutants(), roundedMutants(), typeMutants(), lastMutants(), chosenLayerMutants(), biasMutants(), fusedMutants(), stateMutants(), rewriteMutants(), rewriteWeightMutants(), interfaceMutants(), guardMutants(), fileMutants()} {
		list = append(list, part...)
	}
	slices.SortStableFunc(list, func(a, b Mutant) int { return slices.Index(order, a.Where) - slices.Index(order, b.Where) })
	return list
}

// order is that of the table.
var order = []Where{Rewriter, Emitter, Files}

func inGraph(name, base, change string, apply func(*Graph)) Mutant {
	return Mutant{Name: name, Base: base, Where: Emitter, Change: change, apply: func(f *Folder) {
		f.graph(func(g *Graph) {
			apply(g)
			g.digests()
		})
	}}
}

func inResult(name, base, change string, apply func(*Folder)) Mutant {
	return Mutant{Name: name, Base: base, Where: Rewriter, Change: change, apply: apply}
}

func inFiles(name, base, change string, apply func(*Folder)) Mutant {
	return Mutant{Name: name, Base: base, Where: Files, Change: change, apply: apply}
}

// still marks a mutant that moves no logit.
func (m Mutant) still(why string) Mutant {
	m.Still = why
	return m
}

// misfit is the panic of a mutant that does not fit its base: a fault of the
// table.
type misfit struct{ error }

func fail(format string, args ...any) { panic(misfit{fmt.Errorf(format, args...)}) }

func check(err error) {
	if err != nil {
		panic(misfit{err})
	}
}

// plant applies the mutant to a folder.
func (m Mutant) plant(f *Folder) (err error) {
	defer func() {
		if r := recover(); r != nil {
			bad, ok := r.(misfit)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("mutant %s: base %s: %w", m.Name, m.Base, bad.error)
		}
	}()
	before, err := f.bytes()
	if err != nil {
		return err
	}
	m.apply(f)
	if m.Where == Rewriter { // a wrong conversion writes the sums of what it wrote
		f.unsummed()
	}
	after, err := f.bytes()
	if err == nil && before == after {
		err = errors.New("nothing changes")
	}
	if err != nil {
		return fmt.Errorf("mutant %s: base %s: %w", m.Name, m.Base, err)
	}
	return nil
}
