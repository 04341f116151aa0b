// Command check reads a log and its proofs with golang.org/x/mod/sumdb, whose authors know nothing
// of this repository, and refuses what does not hold. Usage:
//
//	check VKEY DIR            the checkpoint's signature, then every leaf and tile below it
//	check VKEY DIR OLD PROOF  also that OLD, a checkpoint seen before, is a beginning of it,
//	                          by PROOF, a file of base64 hashes, one a line
//	check VKEY -proof FILE LEAFHASH   a .tlog-proof file for a leaf
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	must(err)
	return data
}

// openTree checks the signature and reads the three lines of a C2SP checkpoint.
func openTree(message []byte, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(message, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		must(fmt.Errorf("a checkpoint of %q", lines[0]))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	hash, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: hash}
}

// folder serves tiles to tlog.TileHashReader, which checks each against the tree's hash.
type folder string

func (folder) Height() int                     { return 8 }
func (folder) SaveTiles([]tlog.Tile, [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		// Go's paths name the height after "tile", those of C2SP tlog-tiles do not.
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := os.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			full := tile
			full.W = 256
			path = strings.Replace(full.Path(), "tile/8/", "tile/", 1)
			if bytes, err = os.ReadFile(filepath.Join(string(f), path)); err != nil {
				return nil, err
			}
			bytes = bytes[:tile.W*tlog.HashSize]
		}
		data = append(data, bytes)
	}
	return data, nil
}

// bundle gives the entries of a bundle, which x/mod does not know.
func bundle(dir string, index, size int64) [][]byte {
	tile := tlog.Tile{H: 8, L: -1, N: index, W: 256}
	if left := size - index*256; left < 256 {
		tile.W = int(left)
	}
	path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
	var entries [][]byte
	for data := read(filepath.Join(dir, path)); len(data) > 0; {
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries, data = append(entries, data[2:end]), data[end:]
	}
	return entries
}

func hashes(lines []string) (proof []tlog.Hash) {
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		must(err)
		proof = append(proof, hash)
	}
	return proof
}

func checkFolder(dir string, tree tlog.Tree) {
	reader := tlog.TileHashReader(tree, folder(dir))
	if tree.N > 0 {
		root, err := tlog.TreeHash(tree.N, reader)
		must(err)
		if root != tree.Hash {
			must(fmt.Errorf("the tiles have another root"))
		}
	}
	for first := int64(0); first < tree.N; first += 256 {
		entries := bundle(dir, first/256, tree.N)
		var indexes []int64
		for at := range entries {
			indexes = append(indexes, tlog.StoredHashIndex(0, first+int64(at)))
		}
		stored, err := reader.ReadHashes(indexes)
		must(err)
		for at, entry := range entries {
			if tlog.RecordHash(entry) != stored[at] {
				must(fmt.Errorf("leaf %d is not the one in the tree", first+int64(at)))
			}
		}
	}
}

func checkProof(file, leaf string, verifier note.Verifier) {
	head, checkpoint, _ := strings.Cut(string(read(file)), "\n\n")
	tree := openTree([]byte(checkpoint), verifier)
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		must(fmt.Errorf("no proof: %q", lines[0]))
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	must(err)
	hash, err := tlog.ParseHash(leaf)
	must(err)
	must(tlog.CheckRecord(hashes(lines[1:]), tree.N, tree.Hash, index, hash))
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	must(err)
	if os.Args[2] == "-proof" {
		checkProof(os.Args[3], os.Args[4], verifier)
		fmt.Println("holds")
		return
	}
	dir := os.Args[2]
	tree := openTree(read(filepath.Join(dir, "checkpoint")), verifier)
	if len(os.Args) > 3 {
		old := openTree(read(os.Args[3]), verifier)
		proof := hashes(strings.Fields(string(read(os.Args[4]))))
		must(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
	}
	checkFolder(dir, tree)
	fmt.Println("holds", tree.N)
}
