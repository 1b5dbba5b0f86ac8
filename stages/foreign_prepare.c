/* What the C library reads from files when it is first asked for: a confined worker could not. It
 * loads a locale once, and a converter as long as somebody has it open. */
#include <iconv.h>
#include <locale.h>
#include <pthread.h>
#include <stddef.h>

#include "stages/foreign.h"

/* Those that archives have names in, and libarchive converters for. */
static const char *const encodings[] = {"ISO-8859-1", "UTF-16LE", "UTF-16BE", "CP437"};

/* Not to be given back: it is the use of them. */
static struct {
    locale_t locale;
    iconv_t converter[sizeof encodings / sizeof *encodings];
} kept;

static void prepare(void)
{
    kept.locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        kept.converter[i] = iconv_open("UTF-8", encodings[i]);
}

void foreign_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, prepare);
}
