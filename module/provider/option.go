package provider

// keyHelp are the sentences of help for the options of Keys.
var keyHelp = map[string]string{
	"public_key":    "The public keys that the provider may sign with, as PEM, base64, JWK or certificate.",
	"certificate":   "Certificates to verify with, in place of those that requests name.",
	"keys_url":      "The https URL of the provider's public keys.",
	"client_id":     "The client ID for the provider's API, which gives the public keys.",
	"client_secret": "The client secret for that API.",
	"api_url":       "The address of the provider's API.",
}

// KeyOptions returns options of Keys, by name.
func KeyOptions(names ...string) (options []Option) {
	for _, name := range names {
		options = append(options, Option{Name: name, Help: keyHelp[name], Key: true})
	}
	return options
}

// Required returns the options as required ones.
func Required(options []Option) []Option {
	for i := range options {
		options[i].Required = true
	}
	return options
}

// Option is something that a preset cannot know.
type Option struct {
	Name     string   `json:"name"`               // its subdirective
	Help     string   `json:"help"`               // a sentence
	Required bool     `json:"required,omitempty"` // the preset does not load without it
	Default  string   `json:"default,omitempty"`  // its value if it is not given
	Choices  []string `json:"choices,omitempty"`  // the values that it can have; nil: any
	Several  bool     `json:"several,omitempty"`  // it may have several values

	Key      bool `json:"-"` // it is one of Keys
	Secrets  bool `json:"-"` // it is another name of the secrets
	OrSecret bool `json:"-"` // a secret is as good where it is required
	Endpoint bool `json:"-"` // it is external_url if it is not given
}
