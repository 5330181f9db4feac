//! A small notebook: greets, then keeps its arguments as notes in the first directory it was lent.
//! Shows what Zig's `std.Io` asks of WASI: positional reads and writes, iteration, renaming, deleting.
//!
//!   teff run examples/notebook.wasm
//!   teff run --dir /tmp/notes::/notes examples/notebook.wasm milk bread "three lemons"

const std = @import("std");
const Io = std.Io;

pub fn main(init: std.process.Init) !u8 {
    const io = init.io;
    const args = try init.minimal.args.toSlice(init.arena.allocator());

    var stdout_buffer: [1024]u8 = undefined;
    var stdout_file = Io.File.stdout().writer(io, &stdout_buffer);
    const out = &stdout_file.interface;

    try out.print("Hello from Zig {f} on {t}.\n", .{ @import("builtin").zig_version, @import("builtin").os.tag });
    const notebook = firstDirectory(init.preopens) orelse {
        try out.print("No notebook: lend me a directory (--dir HOST::GUEST).\n", .{});
        try out.flush();
        return 0;
    };
    keepNotes(io, init.gpa, out, notebook, args[@min(1, args.len)..]) catch |err| {
        try out.flush();
        std.debug.print("notebook: {t}\n", .{err});
        return 1;
    };
    try out.flush();
    return 0;
}

/// File descriptors 0 to 2 are the standard streams; the directories follow.
fn firstDirectory(preopens: std.process.Preopens) ?Io.Dir {
    const names = preopens.map.keys();
    if (names.len <= 3) return null;
    return switch (preopens.get(names[3]).?) {
        .dir => |dir| dir,
        .file => null,
    };
}

fn keepNotes(io: Io, gpa: std.mem.Allocator, out: *Io.Writer, notebook: Io.Dir, notes: []const [:0]const u8) !void {
    // One file for each note, written by position, in a directory of their own.
    try notebook.createDir(io, "draft", .default_dir);
    const draft = try notebook.openDir(io, "draft", .{ .iterate = true });
    defer draft.close(io);
    for (notes, 1..) |note, number| {
        var name_buffer: [32]u8 = undefined;
        const file = try draft.createFile(io, try std.fmt.bufPrint(&name_buffer, "{d:0>2}.txt", .{number}), .{});
        defer file.close(io);
        try file.writePositionalAll(io, note, 0);
        try file.writePositionalAll(io, "\n", note.len);
    }

    // The order of a directory is the host's choice, so the names are sorted before use.
    var names: std.ArrayList([]u8) = .empty;
    defer {
        for (names.items) |name| gpa.free(name);
        names.deinit(gpa);
    }
    var entries = draft.iterate();
    while (try entries.next(io)) |entry| try names.append(gpa, try gpa.dupe(u8, entry.name));
    std.mem.sort([]u8, names.items, {}, struct {
        fn less(_: void, a: []u8, b: []u8) bool {
            return std.mem.lessThan(u8, a, b);
        }
    }.less);

    // All notes go into one file, and the drafts away.
    {
        const book = try draft.createFile(io, "book.tmp", .{ .read = true });
        defer book.close(io);
        var buffer: [64]u8 = undefined;
        var writer = book.writer(io, &buffer);
        for (names.items) |name| {
            var note_buffer: [4096]u8 = undefined;
            const note = try draft.readFile(io, name, &note_buffer);
            try writer.interface.print("* {s}", .{note});
            try draft.deleteFile(io, name);
            try out.print("{s}: {d} bytes\n", .{ name, note.len });
        }
        try writer.interface.flush();
    }
    try Io.Dir.rename(draft, "book.tmp", notebook, "book.txt", io);
    try notebook.deleteDir(io, "draft");

    const book = try notebook.openFile(io, "book.txt", .{});
    defer book.close(io);
    const stat = try book.stat(io);
    var read_buffer: [64]u8 = undefined;
    var reader = book.reader(io, &read_buffer);
    const text = try reader.interface.allocRemaining(gpa, .limited(64 * 1024));
    defer gpa.free(text);
    try out.print("book.txt: a {t} of {d} bytes in {d} lines\n{s}", .{ stat.kind, stat.size, std.mem.count(u8, text, "\n"), text });

    _ = notebook.statFile(io, "draft", .{}) catch |err| try out.print("the drafts are gone: {t}\n", .{err});
    _ = notebook.openFile(io, "../outside.txt", .{}) catch |err| try out.print("the world outside is closed: {t}\n", .{err});
}
