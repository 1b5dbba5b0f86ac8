/* How often a test tries its luck: less often with a sanitizer, under which each round takes many
 * times as long. TREEMILL_SANITIZED comes from tests/CMakeLists.txt: compilers do not agree on a
 * macro of their own. */
#ifndef TREEMILL_TESTS_ROUNDS_H
#define TREEMILL_TESTS_ROUNDS_H

#define ROUNDS(count) ((count) / (TREEMILL_SANITIZED ? 5 : 1))

#endif
