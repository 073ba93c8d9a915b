use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use List::Util qw(sum max);

my %count;
open(my $in, '<', 'words.txt') or die;
while (<$in>) { chomp; $count{$_}++ for split / /; }
close $in;
my @top = (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 9];
print "$_ $count{$_}\n" for @top;
print scalar(keys %count), " ", sum(values %count), " ", max(values %count), "\n";
print md5_hex(join ",", sort keys %count), "\n";
open(my $out, '>', 'perl.out') or die;
printf $out "%s=%d\n", $_, $count{$_} for sort keys %count;
close $out;
my $text = join '', map { chr(97 + $_ % 26) } 0 .. 9999;
(my $t = $text) =~ s/([aeiou])/<\U$1>/g;
print length($t), " ", md5_hex($t), "\n";
print `echo from a child`;
my $pid = fork;
if (!$pid) { exit 5 }
waitpid $pid, 0;
print $? >> 8, "\n";
local $SIG{ALRM} = sub { die "alarm\n" };
eval { alarm 1; select undef, undef, undef, 5; };
print $@;
srand 42;
print join(" ", map { int rand 1000 } 1 .. 5), "\n";
