// The TLS part of Boost.Asio is compiled here once; wire/asio_beast.cpp has the rest.
#include <boost/asio/ssl/impl/src.hpp>
