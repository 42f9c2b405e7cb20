// Executes a command under the filter FILTER, which the program seccomp-filter generates from a profile.
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count < 2) {
        fprintf(stderr, "usage: confined COMMAND [ARG...]\n");
        return 2;
    }
    struct sock_fprog program = {.len = sizeof FILTER / sizeof *FILTER, .filter = FILTER};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        perror("confined: failed to install the filter");
        return 1;
    }
    execvp(arguments[1], arguments + 1);
    perror(arguments[1]);
    return 127;
}
