// A small C program of one line: what it costs to start an engine.
#include <stdio.h>

int main(void) {
    puts("Hello from C");
    return 0;
}
