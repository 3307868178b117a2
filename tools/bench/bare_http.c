/* A JSON echo server with nothing between the socket and the JSON: libuv, llhttp, cJSON, one
 * thread. Prints its port. It takes what the benchmark sends and no more: no limits, no time-outs.
 */
#include <cjson/cJSON.h>
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct conn {
    uv_tcp_t tcp;
    llhttp_t parser;
    char in[65536];
    char *body;
    size_t body_len, body_cap;
    char *out;
    size_t out_len, out_cap;
};

static llhttp_settings_t settings;

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct conn *c = parser->data;
    if (c->body_len + len > c->body_cap)
        c->body = realloc(c->body, c->body_cap = (c->body_len + len) * 2);
    memcpy(c->body + c->body_len, at, len);
    c->body_len += len;
    return 0;
}

static int on_message(llhttp_t *parser)
{
    struct conn *c = parser->data;
    cJSON *value = cJSON_ParseWithLength(c->body, c->body_len);
    char *text = cJSON_PrintUnformatted(value);
    size_t n = strlen(text);
    if (c->out_len + n + 256 > c->out_cap)
        c->out = realloc(c->out, c->out_cap = (c->out_len + n + 256) * 2);
    c->out_len += (size_t)sprintf(c->out + c->out_len,
                                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                  "Content-Length: %zu\r\n\r\n",
                                  n);
    memcpy(c->out + c->out_len, text, n);
    c->out_len += n;
    free(text);
    cJSON_Delete(value);
    c->body_len = 0;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    free(c->body);
    free(c->out);
    free(c);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)size;
    struct conn *c = handle->data;
    *buf = uv_buf_init(c->in, sizeof c->in);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    if (n < 0 || llhttp_execute(&c->parser, buf->base, (size_t)n) != HPE_OK) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    uv_buf_t out = uv_buf_init(c->out, (unsigned)c->out_len);
    if (c->out_len > 0 && uv_try_write(stream, &out, 1) != (int)c->out_len)
        abort(); /* answers are small: the socket takes them whole */
    c->out_len = 0;
}

static void on_connection(uv_stream_t *server, int status)
{
    if (status < 0)
        return;
    struct conn *c = calloc(1, sizeof *c);
    uv_tcp_init(server->loop, &c->tcp);
    c->tcp.data = c;
    uv_accept(server, (uv_stream_t *)&c->tcp);
    uv_tcp_nodelay(&c->tcp, 1);
    llhttp_init(&c->parser, HTTP_REQUEST, &settings);
    c->parser.data = c;
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t server;
    struct sockaddr_in address;
    int len = sizeof address;
    llhttp_settings_init(&settings);
    settings.on_body = on_body;
    settings.on_message_complete = on_message;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &server);
    uv_tcp_bind(&server, (const struct sockaddr *)&address, 0);
    if (uv_listen((uv_stream_t *)&server, 1024, on_connection) != 0)
        return 1;
    uv_tcp_getsockname(&server, (struct sockaddr *)&address, &len);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
