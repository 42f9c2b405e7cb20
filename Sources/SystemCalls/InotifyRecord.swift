internal import Glibc

/// One `struct inotify_event` (`linux/inotify.h`).
struct InotifyRecord: Hashable {
    var watch: Int32
    var mask: Int32
    /// The name inside a watched directory; empty for the watched file itself.
    var name: String

    func has(_ flag: Int32) -> Bool { mask & flag != 0 }

    /// What the record says of a file.
    func event(of name: String) -> DirectoryEvent {
        if has(IN_MODIFY) { return .writing(name) }
        return has(IN_ATTRIB) || has(IN_CREATE) ? .touched(name) : .changed(name)
    }

    /// The records that one `read(2)` returned.
    static func records(in buffer: ArraySlice<UInt8>) -> [InotifyRecord] {
        var records: [InotifyRecord] = []
        var rest = buffer
        // wd, mask, cookie and the length of the name, four bytes each, then the name, padded with zeros.
        while rest.count >= 16 {
            let length = Int(word(rest, at: 12))
            guard rest.count >= 16 + length else { break }
            let name = rest.dropFirst(16).prefix(length).prefix { $0 != 0 }
            records.append(
                InotifyRecord(
                    watch: Int32(bitPattern: word(rest, at: 0)), mask: Int32(bitPattern: word(rest, at: 4)),
                    name: String(decoding: name, as: UTF8.self)))
            rest = rest.dropFirst(16 + length)
        }
        return records
    }

    /// A word in the byte order of this machine.
    private static func word(_ bytes: ArraySlice<UInt8>, at offset: Int) -> UInt32 {
        let four = bytes.dropFirst(offset).prefix(4)
        let littleEndian = four.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return UInt32(littleEndian: littleEndian)
    }
}
