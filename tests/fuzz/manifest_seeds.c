/* Seeds of fuzz_manifest: the cases of the unit test, each with the choices that fuzz.h describes.
 * Usage: manifest_seeds DIRECTORY */
#include <stdio.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/manifest_cases.h"

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* Names, algorithms and sizes of pieces differ, the parser is one that fits often. */
        uint8_t choices[FUZZ_CHOICE_BYTES] = {(uint8_t)i, 0, 0, 255, 6, 0, 63, 130};
        if (strncmp(cases[i].text, "%%%%", 4) == 0)
            choices[0] = 1 << 4 | 8;
        else if (strncmp(cases[i].text, "#mtree", 6) == 0)
            choices[0] = 2 << 4 | 8;
        else if (*cases[i].text == '{')
            choices[0] = 3 << 4 | 8;
        choices[1] = (uint8_t)cases[i].set;
        choices[2] = (uint8_t)(cases[i].set >> 8);
        char path[4096];
        snprintf(path, sizeof path, "%s/case-%zu", argv[1], i);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(cases[i].text, 1, cases[i].bytes, file) != cases[i].bytes ||
            fwrite(choices, 1, sizeof choices, file) != sizeof choices || fclose(file)) {
            perror(path);
            return 1;
        }
    }
    return 0;
}
