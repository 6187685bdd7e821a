package update

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/mianmi/mianmi"
)

// Roles are those who sign, by their names in TUF. Root and targets are to be
// kept offline; snapshot and timestamp sign often and know no program.
var Roles = []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP}

// keyFileMax bounds a key's file, which has some 120 bytes.
const keyFileMax = 4 << 10

// keyFile names a key's file by role and the start of its identifier, so that
// the former key and the new one lie side by side.
func keyFile(role, id string) string { return role + "." + id[:8] + ".pem" }

// makeKey makes a key in the folder, readable by its owner alone, and returns
// its public half.
func makeKey(dir, role string, random io.Reader) (*metadata.Key, error) {
	public, private, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("make the %s key: %w", role, err)
	}
	key, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		return nil, err
	}
	id, err := key.ID()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return key, writeFile(filepath.Join(dir, keyFile(role, id)), text, 0o600)
}

// signer finds the private half of one of the role's keys.
func (r *Repository) signer(root *metadata.Metadata[metadata.RootType], role string) (signature.Signer, error) {
	for _, id := range root.Signed.Roles[role].KeyIDs {
		for _, dir := range r.Keys {
			private, err := readKey(filepath.Join(dir, keyFile(role, id)))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			s, err := signature.LoadED25519Signer(private)
			if err != nil {
				return nil, err
			}
			if err := isKey(s, root.Signed.Keys[id]); err != nil {
				return nil, err
			}
			return s, nil
		}
	}
	return nil, &mianmi.Error{Kind: mianmi.NotFound, Code: "update_key_missing", Field: "update_keys",
		Msg: fmt.Sprintf("the %s key is in none of the key folders: bring it along (%s.….pem)", role, role)}
}

func isKey(s signature.Signer, want *metadata.Key) error {
	public, err := s.PublicKey()
	if err != nil {
		return err
	}
	got, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		return err
	}
	if want == nil || got.Value.PublicKey != want.Value.PublicKey {
		return errors.New("a key file holds another key than its name says")
	}
	return nil
}

func readKey(name string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 || info.Size() > keyFileMax {
		return nil, mianmi.InvalidField("update_keys", filepath.Base(name)+" can be read by others than its owner: chmod 600 it, and think who has seen it")
	}
	text, err := os.ReadFile(name) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, mianmi.InvalidField("update_keys", filepath.Base(name)+" is not a private key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, mianmi.InvalidField("update_keys", filepath.Base(name)+" is not an Ed25519 key")
	}
	return private, nil
}

// writeFile replaces a file as a whole: written beside, synced, renamed, the
// folder synced.
func writeFile(name string, content []byte, mode os.FileMode) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name()) // best effort: it is no file that anybody asks for
		}
	}()
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(name), err)
	}
	if err := os.Rename(temp.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
