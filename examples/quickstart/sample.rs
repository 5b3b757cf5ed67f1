//! A database to play with.

use std::path::Path;

use rusqlite::Connection;

/// Makes a shop with customers, orders and products. Nobody in it exists.
pub fn create(path: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    let shop = connection.transaction()?;
    shop.execute_batch(
        "CREATE TABLE customers(
           id INTEGER PRIMARY KEY, full_name TEXT, email TEXT, phone TEXT, city TEXT, newsletter INTEGER);
         CREATE TABLE products(id INTEGER PRIMARY KEY, title TEXT, cents INTEGER);
         CREATE TABLE orders(
           id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers, product INTEGER REFERENCES products);",
    )?;
    for (id, name, city) in [
        (1, "Ada Example", "London"),
        (2, "Björn Beispiel", "Ulm"),
        (3, "Chiara Esempio", "Pisa"),
        (4, "Dao Vídụ", "Huế"),
        (5, "Emil Exempel", "Umeå"),
        (6, "Fatima Misal", "Pune"),
        (7, "Goran Primjer", "Split"),
        (8, "Hana \"Rei\" Sample, MD", "Osaka"),
    ] {
        shop.execute(
            "INSERT INTO customers VALUES(?1, ?2, ?3, ?4, ?5, 1)",
            (
                id,
                name,
                format!("customer{id}@example.com"),
                format!("+44 20 7946 00{id:02}"),
                city,
            ),
        )?;
    }
    for (id, title, cents) in [(1, "kettle", 2900), (2, "lamp", 4550), (3, "chair", 12_900)] {
        shop.execute(
            "INSERT INTO products VALUES(?1, ?2, ?3)",
            (id, title, cents),
        )?;
    }
    for id in 1..=20 {
        shop.execute(
            "INSERT INTO orders VALUES(?1, ?2, ?3)",
            (id, id % 8 + 1, id % 3 + 1),
        )?;
    }
    shop.commit()
}
