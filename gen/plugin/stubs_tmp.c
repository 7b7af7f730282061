#include "products.h"
void write_events(struct outputs *outputs, const struct file *file){(void)outputs;(void)file;}
void write_routes(struct outputs *outputs){(void)outputs;}
void write_openapi(struct outputs *outputs){(void)outputs;}
#include "naming.h"
void check_schema(struct schema *schema){ name_check(schema); }
