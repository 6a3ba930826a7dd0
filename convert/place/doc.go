// Package place is where a model may be: a folder of the local disk, of a bucket
// (s3://, gs://, azblob://, through gocloud.dev/blob), or of a repository of a hub
// (hf://). [Parse] reads what a user names, [Place.Open] gives a [Folder], whose
// files are listed once and read by range.
//
// # What is read is of one version
//
// The list of a folder gives each object's version (ETag, generation, commit). Every
// later request names it, so that an object which is replaced while it is read is an
// error that satisfies errors.Is(err, [ErrChanged]) and never a mixture of two.
// An answer of another size, of another version, or of other bytes than were asked
// for is an error too.
//
// # Requests that fail
//
// Answers of 408, 429 and 5xx, connections that break and answers that end early are
// asked again from where they ended, at most six times and for two minutes, each wait
// twice the last; [Say] is told. What a bucket says no to (403, 404, 412) is an error
// at once. Errors name the object by its URL, without the URL's query.
//
// # Memory
//
// A folder keeps at most 48 MiB of what it read: pieces of 4 MiB of files that are
// read from front to back, fetched ahead of the reader. What is far from what was read
// before is fetched as it is asked for, and kept nowhere.
package place
