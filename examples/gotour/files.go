package main

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func oneDirectory(args []string) (string, error) {
	if len(args) != 1 {
		return "", errors.New("name one directory")
	}
	return args[0], nil
}

func walk(args []string) error {
	root, err := oneDirectory(args)
	if err != nil {
		return err
	}
	files, bytes := 0, int64(0)
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		indent := strings.Repeat("  ", strings.Count(path, "/")-strings.Count(root, "/"))
		if entry.IsDir() {
			fmt.Printf("%s%s/\n", indent, entry.Name())
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if int64(len(content)) != info.Size() {
			return fmt.Errorf("%s: read %d bytes of %d", path, len(content), info.Size())
		}
		files, bytes = files+1, bytes+info.Size()
		fmt.Printf("%s%-12s %5d %08x\n", indent, entry.Name(), info.Size(), crc32.ChecksumIEEE(content))
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d files, %d bytes\n", files, bytes)
	return nil
}

func files(args []string) error {
	root, err := oneDirectory(args)
	if err != nil {
		return err
	}
	log := filepath.Join(root, "log", "today.txt")
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(log, []byte("first line\n"), 0o644); err != nil {
		return err
	}
	if err := appendAndSeek(log); err != nil {
		return err
	}
	if err := stats(root, log); err != nil {
		return err
	}

	// Renaming replaces what was there; directories go only when they are empty.
	archive := filepath.Join(root, "archive.txt")
	if err := os.WriteFile(archive, []byte("old\n"), 0o644); err != nil {
		return err
	}
	if err := os.Rename(log, archive); err != nil {
		return err
	}
	_, err = os.Stat(log)
	fmt.Println("renamed, the old name is gone:", errors.Is(err, fs.ErrNotExist))
	for i := range 40 {
		if err := os.WriteFile(filepath.Join(root, "log", fmt.Sprintf("part-%02d-with-a-long-name.txt", i)), make([]byte, i), 0o644); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(filepath.Join(root, "log"))
	if err != nil {
		return err
	}
	fmt.Printf("%d entries, from %s to %s\n", len(entries), entries[0].Name(), entries[len(entries)-1].Name())
	fmt.Println("removing a full directory:", reason(os.Remove(filepath.Join(root, "log"))))
	if err := os.RemoveAll(filepath.Join(root, "log")); err != nil {
		return err
	}
	entries, err = os.ReadDir(root)
	if err != nil {
		return err
	}
	fmt.Println("left:", entries)

	// What must fail, and how.
	_, err = os.Open(filepath.Join(root, "nothing.txt"))
	fmt.Println("opening nothing:", reason(err))
	_, err = os.OpenFile(archive, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	fmt.Println("creating anew what exists:", reason(err))
	_, err = os.ReadFile(root)
	fmt.Println("reading a directory:", reason(err))
	fmt.Println("a directory over a file:", reason(os.Mkdir(archive, 0o755)))
	_, err = os.ReadDir(archive)
	fmt.Println("listing a file:", reason(err))
	_, err = os.Open("/elsewhere/secret.txt")
	fmt.Println("outside of every lent directory:", err != nil)
	return nil
}

func appendAndSeek(path string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for i := range 3 {
		fmt.Fprintf(file, "appended %d\n", i)
	}
	if err := file.Close(); err != nil {
		return err
	}

	file, err = os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := 0
	for in := bufio.NewScanner(file); in.Scan(); {
		lines++
	}
	end, err := file.Seek(-2, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := file.WriteString("9"); err != nil {
		return err
	}
	part := make([]byte, 4)
	if _, err := file.ReadAt(part, 6); err != nil {
		return err
	}
	if _, err := file.WriteAt([]byte("LINE"), 6); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	whole, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	fmt.Printf("%d lines, the last digit is at %d, %q at 6\n%s", lines, end, part, whole)
	_, err = file.Seek(-1, io.SeekStart)
	fmt.Println("seeking before the start:", reason(err))
	return nil
}

func stats(root, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	fmt.Println("stat:", info.Name(), info.Size(), info.Mode().IsRegular(), info.IsDir(), info.ModTime().Year() > 2000)
	// Opening may cut a file off.
	file, err := os.OpenFile(path, os.O_TRUNC|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := file.WriteString("a new line\n"); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if info, err = os.Stat(path); err != nil {
		return err
	}
	fmt.Println("cut off and written again:", info.Size())
	if info, err = os.Stat(root); err != nil {
		return err
	}
	fmt.Println("the root is a directory:", info.IsDir())
	return nil
}

// The part of an error that does not hold a path.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
