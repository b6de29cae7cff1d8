package payload

import (
	"bytes"
	"mime"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

var (
	bigEndian    = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	littleEndian = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
)

// UTF8 returns text in UTF-8 and without a byte order mark: that of UTF-8 and UTF-16
// says what a text is, then the zeros in JSON of UTF-16, then the charset that is
// declared. It returns the text itself where there is nothing to do.
func UTF8(contentType string, text []byte) []byte {
	from := encoding.Encoding(nil)
	switch {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return text[3:]
	case bytes.HasPrefix(text, []byte("\xfe\xff")):
		from, text = bigEndian, text[2:]
	case bytes.HasPrefix(text, []byte("\xff\xfe")):
		from, text = littleEndian, text[2:]
	case len(text) >= 2 && len(text)%2 == 0 && text[0] == 0 && strings.IndexByte(`{["`, text[1]) >= 0:
		from = bigEndian
	case len(text) >= 2 && len(text)%2 == 0 && text[1] == 0 && strings.IndexByte(`{["`, text[0]) >= 0:
		from = littleEndian
	default:
		from = charsetOf(contentType)
	}
	if from == nil {
		return text
	}
	decoded, err := from.NewDecoder().Bytes(text)
	if err != nil {
		return text
	}
	return decoded
}

// charsetOf returns the charset that a Content-Type declares, nil if that is none, an
// unknown one, or UTF-8.
func charsetOf(contentType string) encoding.Encoding {
	if !strings.Contains(strings.ToLower(contentType), "charset") {
		return nil
	}
	_, params, _ := mime.ParseMediaType(contentType)
	name := params["charset"]
	if name == "" || strings.EqualFold(name, "utf-8") {
		return nil
	}
	charset, err := htmlindex.Get(name)
	if err != nil || charset == unicode.UTF8 || charset == encoding.Replacement {
		return nil
	}
	return charset
}

// InCharset returns what a form says in the charset that its Content-Type declares.
func (f Fields) InCharset(contentType string) Fields {
	charset := charsetOf(contentType)
	if charset == nil {
		return f
	}
	decoding := charset.NewDecoder()
	for i := range f {
		for _, text := range []*string{&f[i].Name, &f[i].Value} {
			if decoded, err := decoding.String(*text); err == nil {
				*text = decoded
			}
		}
	}
	return f
}
