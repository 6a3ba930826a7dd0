package run

// ManifestFile is the name of the file that says how a folder was made.
const ManifestFile = "pecvt.json"
