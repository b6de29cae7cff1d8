package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/durable"
)

const (
	// A queue file that has so much free space, and more than half of it, is made
	// smaller when it is opened.
	freeToCompact = 64 << 20
	// Opening must be quick, so at most so much is copied.
	mostToCompact = 256 << 20
)

// compact gives the space back to the disk that a backlog has taken: bbolt's files never
// shrink. It returns the open queue file, which may be a new one.
func (s *Store) compact(db *bolt.DB) (*bolt.DB, error) {
	path := db.Path()
	var size int64
	err := view(db, func(tx *bolt.Tx) error { size = tx.Size(); return nil })
	if err = errors.Join(err, discardDraft(path)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	free := int64(db.Stats().FreePageN) * filePageSize
	if free < freeToCompact || free < size/2 || size-free > mostToCompact {
		return db, nil
	}
	if err = copyCompactly(db, path+draftSuffix); err == nil {
		err = os.Rename(path+draftSuffix, path)
	}
	if err != nil {
		// The disk may be full. The file is as good as before.
		s.logger.Warn("making the queue file smaller failed", zap.Error(err))
		return db, discardDraft(path)
	}
	if err := errors.Join(db.Close(), durable.SyncDir(filepath.Dir(path))); err != nil {
		return nil, fmt.Errorf("replacing queue file: %w: %w", errIO, err)
	}
	s.logger.Info("queue file was made smaller", zap.Int64("bytes", size), zap.Int64("used", size-free))
	return openBolt(path, false)
}

// copyCompactly copies the content of a file to a new file.
func copyCompactly(db *bolt.DB, path string) (err error) {
	to, err := openBolt(path, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	to.NoSync = true
	if err := bolt.Compact(to, db, maxBytes); err != nil {
		return err
	}
	return to.Sync()
}
