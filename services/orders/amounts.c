/* Amounts: lines and totals in whole minor units, each rounded once, so that the parts always add
 * up to what is charged. */
#include "errors.msg.h"
#include "saga.h"
#include <common/money.h>
#include <common/tax.h>
#include <string.h>

int64_t amounts_minor(const Money *money)
{
	int64_t minor = 0;

	if (money && money_minor(money, &minor))
		return 0;
	return minor;
}

static int too_large(struct rpc_call *call)
{
	return rpc_fail(call, MONEY_INVALID, { "field", "total" },
			{ "problem", "the order's sum is too large" });
}

int32_t amounts_units_left(const OrderLine *line)
{
	return line->quantity - line->cancelled_quantity;
}

int32_t amounts_units_paid(const OrderLine *line)
{
	int64_t unit = amounts_minor(line->unit_price);

	return unit ? (int32_t)(amounts_minor(line->subtotal) / unit) : line->quantity;
}

static int add_up_line(struct rpc_call *call, const char *currency, OrderLine *line)
{
	int64_t discount = amounts_minor(line->discount), subtotal, tax, total;

	if (money_times(amounts_minor(line->unit_price), amounts_units_left(line), &subtotal) ||
	    tax_of(subtotal - discount, line->tax_rate_millionths, &tax) ||
	    money_add(subtotal - discount, tax, &total))
		return too_large(call);
	line->subtotal = money_new(call, currency, subtotal);
	line->discount = money_new(call, currency, discount);
	line->tax = money_new(call, currency, tax);
	line->total = money_new(call, currency, total);
	return 0;
}

int amounts_add_up(struct rpc_call *call, Order *order)
{
	int64_t shipping = amounts_minor(order->totals->shipping), subtotal = 0, discount = 0,
		total;
	int64_t tax = amounts_minor(order->totals->shipping_tax);
	const char *currency = order->currency_code;
	int r;

	order_each_lines(line, order) {
		r = add_up_line(call, currency, line);
		if (r)
			return r;
		if (money_add(subtotal, amounts_minor(line->subtotal), &subtotal) ||
		    money_add(tax, amounts_minor(line->tax), &tax))
			return too_large(call);
		discount += amounts_minor(line->discount); /* no more than the subtotal */
	}
	if (money_add(subtotal - discount, shipping, &total) || money_add(total, tax, &total))
		return too_large(call);
	order->totals->subtotal = money_new(call, currency, subtotal);
	order->totals->discount = money_new(call, currency, discount);
	order->totals->tax = money_new(call, currency, tax);
	order->totals->total = money_new(call, currency, total);
	return 0;
}

int amounts_spread_discount(struct rpc_call *call, Order *order, int64_t discount)
{
	int64_t *weights = rpc_alloc(call, (order->n_lines + 1) * sizeof(*weights));
	int64_t *parts = rpc_alloc(call, (order->n_lines + 1) * sizeof(*parts));
	int64_t sum = 0;

	for (size_t i = 0; i < order->n_lines; i++) {
		if (money_times(amounts_minor(order->lines[i]->unit_price),
				amounts_units_left(order->lines[i]), &weights[i]) ||
		    money_add(sum, weights[i], &sum))
			return too_large(call);
	}
	if (!sum)
		return 0;
	if (money_split(discount < sum ? discount : sum, weights, order->n_lines, parts))
		return too_large(call);
	for (size_t i = 0; i < order->n_lines; i++)
		order->lines[i]->discount = money_new(call, order->currency_code, parts[i]);
	return 0;
}

/*
 * A line's total is given back in proportion to its units: what n cancelled units are worth is
 * worked out from 0, and what was given back for fewer is taken off, so that no rounding is left
 * over when the last one goes.
 */
int amounts_refund(struct rpc_call *call, const OrderLine *line, int32_t quantity, Money **ret)
{
	int32_t paid = amounts_units_paid(line);
	int32_t before = line->cancelled_quantity - (line->quantity - paid);
	int64_t total = amounts_minor(line->total), until, from;

	if (!paid)
		until = from = 0;
	else if (money_part(total, before + quantity, paid, &until) ||
		 money_part(total, before, paid, &from))
		return too_large(call);
	*ret = money_new(call, line->unit_price->currency_code, until - from);
	return 0;
}
