// Package evidence recognises what a folder holds beside or instead of the plain
// weights of one causal model, by what shows it: quantised weights by their tensors,
// an adapter and an embedding model by their files, a wrapper by its configuration,
// tensors that carry no weight by their names, a foreign prefix by the embedding.
package evidence
