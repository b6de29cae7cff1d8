package module

import (
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/mask"
)

// maskLog returns a logger that writes no secret of the sources. What a sender
// chose, such as an event type, may have one in it, and so may the error of an app.
func (k *secretKeeper) maskLog(logger *zap.Logger) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return maskingCore{core, k.mask}
	}))
}

// maskingCore masks the texts of log entries.
type maskingCore struct {
	zapcore.Core
	mask func() *mask.Mask
}

// With implements zapcore.Core.
func (c maskingCore) With(fields []zap.Field) zapcore.Core {
	return maskingCore{c.Core.With(maskEntry(fields, c.mask())), c.mask}
}

// Check implements zapcore.Core. The core within decides, which may be several ones
// with a level each.
func (c maskingCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if inner := c.Core.Check(entry, nil); inner != nil {
		return checked.AddCore(entry, checkedCore{c, inner})
	}
	return checked
}

// checkedCore writes an entry that the core within wants.
type checkedCore struct {
	maskingCore
	inner *zapcore.CheckedEntry
}

// Write implements zapcore.Core.
func (c checkedCore) Write(entry zapcore.Entry, fields []zap.Field) error {
	known := c.mask()
	entry.Message = known.Text(entry.Message)
	c.inner.Entry = entry
	c.inner.Write(maskEntry(fields, known)...)
	return nil
}

// maskEntry returns the fields of a log entry with their texts masked.
func maskEntry(fields []zap.Field, known *mask.Mask) []zap.Field {
	masked := make([]zap.Field, len(fields))
	for i, field := range fields {
		switch field.Type {
		case zapcore.StringType:
			field.String = known.Text(field.String)
		case zapcore.ErrorType, zapcore.StringerType:
			field = zap.String(field.Key, known.Text(fmt.Sprint(field.Interface)))
		}
		masked[i] = field
	}
	return masked
}
