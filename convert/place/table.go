package place

import (
	"context"
	"net/url"
)

// scheme is a row of the table of places.
type scheme struct {
	name   string
	form   string // of its URLs
	holder string // what the host of a URL is
	// credentials says where they are read from.
	credentials string
	// split takes a revision out of a URL's path, and cleans the rest; nil where there
	// is none.
	split func(*url.URL) (revision string, err error)
	open  func(context.Context, Place) (driver, error)
	// write makes what opened it write there; nil where nothing can be written.
	write func(driver) writer
}

// schemes are the places beside the local disk. Those of gocloud.dev read the query of
// a URL (endpoint, region, use_path_style and so on) and the environment as it
// documents.
var schemes = []scheme{
	{name: "s3", form: "s3://BUCKET/FOLDER", holder: "bucket", open: openS3, write: writeS3,
		credentials: "the environment and files of AWS (AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL)"},
	{name: "gs", form: "gs://BUCKET/FOLDER", holder: "bucket", open: openGCS, write: writeBucket,
		credentials: credentialsGCS},
	{name: "azblob", form: "azblob://CONTAINER/FOLDER", holder: "container", open: openAzure, write: writeBucket,
		credentials: "AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING, or the identity of Azure"},
	{name: "hf", form: "hf://ORG/NAME@REVISION", holder: "organisation", split: splitHub, open: openHub,
		credentials: "HF_TOKEN, or the file of huggingface_hub's login; HF_ENDPOINT names another hub"},
}

// Schemes lists the forms of URLs that places have.
func Schemes() []string {
	var list []string
	for _, s := range schemes {
		list = append(list, s.form)
	}
	return append(list, "file:///PATH")
}

func find(name string) *scheme {
	for i := range schemes {
		if schemes[i].name == name {
			return &schemes[i]
		}
	}
	return nil
}
