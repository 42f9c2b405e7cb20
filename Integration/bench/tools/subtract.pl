# Removes the sends of one record of record.c from another: of a sync without changes, which has the tests of the kernel at startup only, from a sync with changes,
# which has them first. Compares types and lengths of the messages. Fails if a send is not found. Prints the numbers of sends and bytes that are left, and of sends
# removed.
#
#     subtract.pl FIRST AGAIN RESULT
use strict;
use warnings;

my ($first, $again, $result) = @ARGV;

# Returns pairs: the record, and its protocol with types and lengths of its messages.
sub records {
    my ($path) = @_;
    open my $file, "<:raw", $path or die "$path: $!\n";
    my $bytes = do { local $/; <$file> } // "";
    my @records;
    for (my $place = 0; $place < length $bytes;) {
        my ($protocol, $descriptor, $length) = unpack "L3", substr $bytes, $place, 12;
        my $content = substr $bytes, $place + 12, $length;
        push @records, [substr($bytes, $place, 12 + $length), "$protocol " . shape($content)];
        $place += 12 + $length;
    }
    return @records;
}

# The header of a message: length (4 bytes), type (2), flags (2), sequence number (4), port (4). A test has its messages in any order.
sub shape {
    my ($content) = @_;
    my @messages;
    for (my $place = 0; $place + 16 <= length $content;) {
        my ($length, $type) = unpack "LS", substr $content, $place, 6;
        last if $length < 16;
        push @messages, "$type/$length";
        $place += ($length + 3) & ~3;
    }
    return join " ", sort @messages;
}

my %removed;
my $removed = 0;
for (records($again)) { $removed{$_->[1]}++; $removed++ }
my ($sends, $bytes) = (0, 0);
open my $output, ">:raw", $result or die "$result: $!\n";
for (records($first)) {
    my ($record, $key) = @$_;
    if ($removed{$key}) { $removed{$key}--; next }
    print $output $record;
    $sends++;
    $bytes += length($record) - 12;
}
close $output or die "$result: $!\n";
my $lacking = grep { $_ > 0 } values %removed;
die "$lacking sends of $again are not in $first\n" if $lacking;
print "sends $sends\nbytes $bytes\ntests $removed\n";
