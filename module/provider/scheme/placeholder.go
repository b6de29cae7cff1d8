package scheme

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// checkShape refuses a value that is what is left of a placeholder, or that holds
// more than the secret. Either could be guessed, or would never match. configured is
// what stands in the configuration. Where the value may be all that a header holds, it
// may begin with Bearer or Basic. It returns the value as it is used.
func checkShape(what, configured, value string, ofHeader bool) (string, error) {
	if found := unknownPlaceholder.FindString(value); found != "" && configured == value && (isSecret(what) || found == value) {
		return "", fmt.Errorf("there is no placeholder %s", found)
	}
	if !isSecret(what) {
		return value, nil
	}
	trimmed := strings.TrimSpace(value)
	// Some consoles show the version of the signature in front of the secret.
	if secret, shown := strings.CutPrefix(trimmed, "v1,whsec_"); shown {
		return "whsec_" + secret, nil
	}
	switch {
	case strings.Contains(configured, "{file."):
		return value, nil // what a file holds is meant as it is
	case placeholderShape.MatchString(trimmed):
		return "", errors.New("it looks like a placeholder that nothing replaced; write {env.NAME} or {file./path/to/file}. If the secret really looks like that, put it into a file")
	case len(trimmed) > 2 && trimmed[0] == trimmed[len(trimmed)-1] && strings.ContainsRune("\"'`", rune(trimmed[0])):
		return "", fmt.Errorf("it has quotes (%c) around it; remove them", trimmed[0])
	}
	name := assignment.FindStringSubmatch(trimmed)
	if name == nil && !ofHeader {
		name = authorization.FindStringSubmatch(trimmed)
	}
	if name != nil {
		return "", fmt.Errorf("it begins with %s; write only what follows", name[1])
	}
	return value, nil
}

// filled is a placeholder that stands for what is somewhere else.
var filled = regexp.MustCompile(`\{(env|file)\.([^{}]+)\}`)

// lacking says why a text has no value: which of its placeholders has none, and why.
func lacking(text string) string {
	for _, match := range filled.FindAllStringSubmatch(text, -1) {
		reason := noVariable(match[2])
		if match[1] == "file" {
			reason = noContent(match[2])
		}
		if reason != "" {
			return "has no value: " + match[0] + reason
		}
	}
	return fmt.Sprintf("is empty: %q has no value", text)
}

// noVariable says why a variable has no value; "" if it has one.
func noVariable(name string) string {
	value, set := os.LookupEnv(name)
	switch {
	case !set:
		return " is not set in the environment of Caddy (a reload does not bring new variables)"
	case strings.TrimSpace(value) == "":
		return " is empty"
	}
	return ""
}

// noContent says why a file has no content; "" if it has some.
func noContent(name string) string {
	info, err := os.Stat(name)
	var content []byte
	if err == nil && (info.Mode().IsRegular() || info.IsDir()) { // what is a pipe has been read
		content, err = os.ReadFile(name)
	}
	var failed *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ": no such file"
	case errors.As(err, &failed):
		return " cannot be read: " + failed.Err.Error()
	case strings.TrimSpace(string(content)) == "":
		return " is empty"
	}
	return ""
}

// isSecret reports whether what is resolved under a name may be a secret. The value of
// a condition may be a token.
func isSecret(what string) bool {
	return what == "value" || strings.Contains(what, "secret") || strings.Contains(what, "token") || strings.Contains(what, "key")
}

// unknownPlaceholder is what is left of a placeholder that Caddy does not know.
// As a secret it would be one that anybody can guess.
var unknownPlaceholder = regexp.MustCompile(`\{[A-Za-z_]+\.[A-Za-z0-9_./:-]+\}`)

// placeholderShape matches a text that is nothing but a name in the marks that
// Caddy, shells, templates and documentation put around one.
var placeholderShape = func() *regexp.Regexp {
	const (
		name   = `[A-Za-z_][A-Za-z0-9_]*`
		phrase = `[$.]?\s*` + name + `(?:[ .:/_-]+[A-Za-z0-9_]+)*(?::?[-=?+][^{}]*)?` // env.X, env:X, YOUR SECRET, X:-default
		inner  = `\s*` + phrase + `\s*`
	)
	return regexp.MustCompile(`^(?:` + strings.Join([]string{
		`[$#@%]?\{` + inner + `\}\}?`, `[$#]?\{\{-?` + inner + `-?\}\}`, // {X}, ${X}, {{X}}
		`[$]?\{` + inner, `(?:env|file|secrets|vars)\.` + name + `\}?`, // {env.X, env.X}
		`\$` + name, `\$\(` + inner + `\)`, `\$\(?env:` + name + `\)?`, // $X, $(X), $env:X
		`%` + name + `%`, `%\(` + name + `\)s`, `@` + name + `@`, `__` + name + `__`,
		`<` + inner + `>`, `<<` + inner + `>>`, `\[` + inner + `\]`,
	}, "|") + `)$`)
}()

// assignment matches a line of a file of variables, authorization the value of the
// header of that name.
var (
	assignment    = regexp.MustCompile(`^((?i:(?:export )?[a-z_]*(?:secret|token|key|password)[a-z_]*\s*[=:])\s*)[^=\s]`)
	authorization = regexp.MustCompile(`^((?i:bearer|basic) \s*)[^=\s]`)
)
