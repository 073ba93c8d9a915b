#include <stdio.h>
int main(void) { return printf("built by make\n") != 14; }
