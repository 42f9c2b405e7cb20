extension StringProtocol {
    /// The text as a JSON string (RFC 8259 §7), with quotes. As in `goQuoted`, what a terminal would not show as a character is escaped.
    package var jsonQuoted: String {
        quoted { scalar in
            switch scalar {
            case _ where scalar.value < 0x20: "\\u" + scalar.value.padded(4, radix: 16)
            case _ where !scalar.isPrintable: scalar.utf16.map { "\\u" + $0.padded(4, radix: 16) }.joined()
            default: nil
            }
        }
    }

    /// The text as Go's `%q` writes it, with quotes (`strconv.Quote`): always one line, without characters that a terminal interprets.
    package var goQuoted: String {
        quoted { scalar in
            switch scalar.value {
            case 0x07: "\\a"
            case 0x08: "\\b"
            case 0x0b: "\\v"
            case 0x0c: "\\f"
            case ..<0x20, 0x7f: "\\x" + scalar.value.padded(2, radix: 16)
            case _ where scalar.isPrintable: nil
            case ..<0x10000: "\\u" + scalar.value.padded(4, radix: 16)
            default: "\\U" + scalar.value.padded(8, radix: 16)
            }
        }
    }

    /// The text, safe for a log or a terminal: characters that could forge a line or move the cursor are written as `\u{1b}`.
    ///
    /// - Parameter limit: the number of characters from which the rest is replaced by `…`.
    package func printable(limit: Int = .max) -> String {
        var result = ""
        var count = 0
        for scalar in unicodeScalars {
            guard count < limit else { return result + "…" }
            count += 1
            if scalar.isPrintable {
                result.unicodeScalars.append(scalar)
            } else {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return result
    }

    /// - Parameter escape: returns the escape of a scalar that only one of the formats escapes; nil for the scalar itself.
    private func quoted(_ escape: (Unicode.Scalar) -> String?) -> String {
        var result = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if let escaped = escape(scalar) {
                    result += escaped
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}

extension BinaryInteger {
    /// The digits, padded with leading zeros to a width.
    package func padded(_ width: Int, radix: Int = 10, uppercase: Bool = false) -> String {
        let digits = String(self, radix: radix, uppercase: uppercase)
        return String(repeating: "0", count: Swift.max(0, width - digits.utf8.count)) + digits
    }
}

extension StringProtocol {
    /// The text percent-encoded for a URL: everything but unreserved characters (RFC 3986 §2.3).
    package var percentEncoded: String {
        var result = ""
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                result += "%" + byte.padded(2, radix: 16, uppercase: true)
            }
        }
        return result
    }
}

extension Unicode.Scalar {
    /// Whether a terminal shows it as a character: no control, no mark of direction, no line separator, and assigned (as Go's
    /// `unicode.IsPrint`).
    package var isPrintable: Bool {
        // Most text is ASCII.
        if value < 0x7f { return value >= 0x20 }
        return switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator: false
        default: true
        }
    }
}
