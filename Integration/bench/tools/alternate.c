// Replaces a file by two others in turns, as renames do, at a steady rate, for little CPU time of its own.
//
//     alternate FILE FIRST SECOND COUNT RATE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count != 6) errx(2, "usage: alternate FILE FIRST SECOND COUNT RATE");
    int changes = atoi(arguments[4]);
    long pause = 1000000000L / atoi(arguments[5]);
    char temporary[4096];
    snprintf(temporary, sizeof temporary, "%s.new", arguments[2]);
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (int change = 0; change < changes; change++) {
        if (link(arguments[2 + change % 2], temporary) || rename(temporary, arguments[1])) err(1, "%s", arguments[1]);
        next.tv_nsec += pause;
        next.tv_sec += next.tv_nsec / 1000000000L;
        next.tv_nsec %= 1000000000L;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}
