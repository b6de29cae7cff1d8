package scheme

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlaceholderShapes holds that nothing that looks like a placeholder is a secret,
// and that what only resembles one is.
func TestPlaceholderShapes(t *testing.T) {
	for _, text := range []string{
		"{$GH}", "{$GH:default}", "${GH}", "${GH:-default}", "${env.GH}", "$GH", "$(GH)", "$env:GH", "%GH%", "%(GH)s", "@GH@", "__GH__",
		"{GH}", "{env:GH}", "{ENV.GH}", "{ env.GH }", "{env.GH", "env.GH}", "env.GH", "{secrets.GH}", "x{vault.gh}", "{http.request.header.X}",
		"{{GH}}", "{{ .Values.gh }}", "{{env.GH}}", "{env.GH}}", "\\{env.GH}", "\\{env.GH\\}", "{env.GH\\}", "${{ secrets.GH }}", "#{GH}", "<secret>", "<YOUR_SECRET>",
		"<your secret>", "<your-secret-here>", "[secret]", " <secret> ", "{env.GH}", "{env.gh-x}", "x{env.GH}",
	} {
		if got, err := Resolve("secret", []string{text}); err == nil {
			t.Errorf("%s is taken as %q", text, got)
		} else if !strings.HasPrefix(err.Error(), "secret 1") {
			t.Errorf("%s: the error does not say which secret: %v", text, err)
		}
	}
	for _, text := range []string{
		"pa{ss}word1", "ab{{cd}}ef", "tail{", "x$y", "$2a$10$abc", "p%ss%word", "<", "a<b>", "{\"a\":1}", "with space #x", "$$", "{}", "<>",
		"AAkey==", "tokenkey", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "it's", "\"", "-----BEGIN KEY-----", "c2VjcmV0", "e_nv.x",
	} {
		if got, err := Resolve("secret", []string{text}); err != nil || got[0] != text {
			t.Errorf("%s is taken as %q, %v", text, got, err)
		}
	}
	t.Setenv("SHAPED", "${GH}")
	if _, err := Resolve("secret", []string{"{env.SHAPED}"}); err == nil {
		t.Error("a variable whose value is a placeholder is taken")
	}
	t.Setenv("SHAPED", "a{env.HOME}b{{c}}")
	if got, err := Resolve("secret", []string{"{env.SHAPED}"}); err != nil || got[0] != "a{env.HOME}b{{c}}" {
		t.Errorf("a variable with braces in its value is taken as %q, %v", got, err)
	}
}

// TestFilesAreTakenAsTheyAre holds that a secret of any shape can be given.
func TestFilesAreTakenAsTheyAre(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	for _, text := range []string{"$GH", "<secret>", "{env.GH}", `"quoted"`, "secret=x"} {
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Resolve("secret", []string{"{file." + file + "}"}); err != nil || got[0] != text {
			t.Errorf("a file with %s is taken as %q, %v", text, got, err)
		}
	}
}

// TestShownShapes gives secrets as consoles and files of variables show them.
func TestShownShapes(t *testing.T) {
	for text, want := range map[string]string{
		`"s3cret"`: "remove", "'s3cret'": "remove", "GITHUB_SECRET=s3cret": "begins with GITHUB_SECRET=", "export TOKEN=s3cret": "begins with export TOKEN=",
		"secret: s3cret": "begins with secret: ", "Bearer s3cret": "begins with Bearer ",
	} {
		_, err := Resolve("secret", []string{text})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", text, err, want)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error quotes the secret: %v", text, err)
		}
	}
	if got, err := Resolve("secret", []string{"v1,whsec_c2VjcmV0"}); err != nil || got[0] != "whsec_c2VjcmV0" {
		t.Errorf("v1,whsec_ is taken as %q, %v", got, err)
	}
}

// TestUnreadable holds that a secret which cannot be read is not called empty.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir() // which nobody can read as a file, not even root
	_, err := Resolve("secret", []string{"{file." + dir + "}"})
	if want := "secret 1 has no value: {file." + dir + "} cannot be read: is a directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
