#include "stages/codec.h"
#include <errno.h>
int codec_plan_make(const struct codec_request *r, struct codec_plan *p, char *e, size_t c)
{
    (void)r;
    (void)p;
    (void)e;
    (void)c;
    return -EINVAL;
}
void codec_plan_describe(const struct codec_plan *p, char *t, size_t c)
{
    (void)p;
    (void)t;
    (void)c;
}
size_t codec_bound(const struct codec_plan *p, size_t n)
{
    (void)p;
    return n;
}
int codec_encoder_create(const struct codec_plan *p, size_t b, struct codec_encoder **e)
{
    (void)p;
    (void)b;
    (void)e;
    return -EINVAL;
}
void codec_encoder_destroy(struct codec_encoder *e)
{
    (void)e;
}
int codec_encode(struct codec_encoder *e, const struct iovec *i, unsigned n, bool l, void *o,
                 size_t c, struct codec_block *b)
{
    (void)e;
    (void)i;
    (void)n;
    (void)l;
    (void)o;
    (void)c;
    (void)b;
    return -EINVAL;
}
int codec_stream_create(const struct codec_plan *p, struct codec_stream **s)
{
    (void)p;
    (void)s;
    return -EINVAL;
}
void codec_stream_destroy(struct codec_stream *s)
{
    (void)s;
}
int codec_stream_begin(struct codec_stream *s, codec_write w, void *c)
{
    (void)s;
    (void)w;
    (void)c;
    return 0;
}
int codec_stream_add(struct codec_stream *s, const struct codec_block *b)
{
    (void)s;
    (void)b;
    return 0;
}
int codec_stream_end(struct codec_stream *s, codec_write w, void *c)
{
    (void)s;
    (void)w;
    (void)c;
    return 0;
}
int pack_zip_item(void *p);
int pack_zip_item(void *p)
{
    (void)p;
    return -EINVAL;
}
