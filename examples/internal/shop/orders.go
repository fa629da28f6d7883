package shop

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/recess-go/recess/examples/internal/ledger"
)

// A Product is something to buy.
type Product struct {
	ID, Name, Words, Price string
}

// Catalogue is what the shop sells.
var Catalogue = []Product{
	{"kettle", "Enamel kettle", "Two litres, whistles.", "€ 39"},
	{"lamp", "Reading lamp", "Warm light, long arm.", "€ 64"},
	{"stool", "Oak stool", "Three legs, never wobbles.", "€ 89"},
	{"blanket", "Wool blanket", "For long recesses.", "€ 120"},
}

// ProductOf finds a product of the catalogue.
func ProductOf(id string) (Product, bool) {
	i := slices.IndexFunc(Catalogue, func(p Product) bool { return p.ID == id })
	if i < 0 {
		return Product{}, false
	}
	return Catalogue[i], true
}

// An Order is what somebody bought.
type Order struct {
	ID   int    `json:"id"`
	Item string `json:"item"` // "" is an empty basket
}

// OrderList is what GET /api/orders says.
type OrderList struct {
	Orders []Order `json:"orders"`
}

// MaxOrder is the longest body of an order, in bytes.
const MaxOrder = 4 << 10

// maxOrders is how many orders are kept; older ones are forgotten.
const maxOrders = 100

// Orders are kept in memory. The zero value has none.
type Orders struct {
	ledger *ledger.Ledger
	mu     sync.Mutex
	last   int
	orders []Order
}

// List returns the newest orders, oldest first.
func (o *Orders) List() OrderList {
	o.mu.Lock()
	defer o.mu.Unlock()
	return OrderList{append([]Order{}, o.orders...)} // never null in JSON
}

// errOrder says what an order looks like.
var errOrder = errors.New(`an order is written as in {"item": "kettle"}`)

// Add takes an order in as it was posted. An empty body orders nothing, and is counted all the same.
func (o *Orders) Add(body []byte) (Order, error) {
	defer o.ledger.Begin()()
	var order Order
	if len(body) > 0 {
		if err := json.Unmarshal(body, &order); err != nil {
			return Order{}, fmt.Errorf("%w: %w", errOrder, err)
		}
	}
	if _, known := ProductOf(order.Item); order.Item != "" && !known {
		return Order{}, fmt.Errorf("%w: there is no %.40q", errOrder, order.Item)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last++
	order.ID = o.last
	o.orders = append(o.orders, order)
	if over := len(o.orders) - maxOrders; over > 0 {
		o.orders = slices.Delete(o.orders, 0, over)
	}
	return order, nil
}
